"""What every service's pages and JSON share: the app, identity, policy, errors, forms, templates, static files."""
