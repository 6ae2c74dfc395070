"""What every Tamga service stands on: events, messaging, storage, web, money, workflow."""
