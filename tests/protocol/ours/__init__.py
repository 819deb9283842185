"""The model's explorer over our own code: every operation of a store is a scheduling point."""
