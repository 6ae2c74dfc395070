"""The rules of loans: proposals, referrals, loans, and the figures they stand on."""
