//! Queries that the product does not send, each with the rows or the error that SQL Server gives: what clients ask at
//! start-up, what tools ask of the catalog, and the language itself. Expected rows are written by hand.

#[path = "queries/fixture.rs"]
mod fixture;

#[path = "queries/catalog.rs"]
mod catalog;
#[path = "queries/changes.rs"]
mod changes;
#[path = "queries/functions.rs"]
mod functions;
#[path = "queries/hostile.rs"]
mod hostile;
#[path = "queries/language.rs"]
mod language;
#[path = "queries/rights.rs"]
mod rights;
#[path = "queries/startup.rs"]
mod startup;
