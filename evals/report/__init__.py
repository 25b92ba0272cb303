"""Sections 4.3 and 4.4: tables with intervals, paired tests, and the page that every report of the project uses."""
