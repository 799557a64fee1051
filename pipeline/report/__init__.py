"""What a run's report says: report.json for programs, report.html and the model card for people."""
