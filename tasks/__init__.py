"""What runs in the background: the framework, and this product's own tasks."""
