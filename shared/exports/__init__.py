"""Files that leave the house: tables for spreadsheets, and open data checked against its standards."""
