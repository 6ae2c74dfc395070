"""Prometheus, its alarms, and Grafana's dashboards for those who want them; the operator's page needs none of it."""
