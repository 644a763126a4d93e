//! A stand-in for Synapse: TDS server, catalog, T-SQL front end, faults.
