"""The catalogue of events, made from the models, the services' cards and their handlers: it can't say anything else."""

from shared.events.catalogue.model import Card, Catalogue, Entry, gather

__all__ = ["Card", "Catalogue", "Entry", "gather"]
