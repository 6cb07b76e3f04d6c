"""Generated from proto/hansa/v1 by scripts/gen_proto; do not edit."""
