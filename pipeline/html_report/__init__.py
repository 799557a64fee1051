"""report.html: one file that shows a run to a person, without a network.

`examine.examine` reads what the run's artifacts say beyond report.json, `page.render` makes the page of it, and
`write.write_pages` writes the page and the model card beside report.json.
"""
