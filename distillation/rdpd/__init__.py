"""RDPD: a student that sees a few channels imitates a teacher that saw them all."""
