"""report.html: one file that shows a run to a person, without a network."""

PAGE_FILE = "report.html"
