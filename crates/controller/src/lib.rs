//! The loop: wake, read, map, plan, admit, apply, read back, record.
