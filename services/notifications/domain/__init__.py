"""The rules of telling people: audiences, letters, deliveries and their retries. No input or output here."""
