# manual pages and notes

