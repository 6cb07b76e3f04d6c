"""Our own systems: what their adapters give and take, what was refused, holds that our ERP keeps."""
