"""The five services, each in its own folder with its own database, and the programs that run them."""
