"""Generated from proto/hansa by scripts/gen_proto; do not edit."""
