//! T-SQL for Synapse: statements, rendering, catalog queries, inspect, apply, server errors.
