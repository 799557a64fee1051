"""report.html: one file that shows a run to a person, without a network.

`page.render` makes the page of what `analysis.examine` read, and `write.write_pages` writes it and the model card
beside report.json.
"""
