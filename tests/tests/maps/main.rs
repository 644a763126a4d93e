//! Versions of the role map, against the real binary: a watched file, pushes, the operators' API, jobs' tokens, two persons.
//! With `AXON_TEST_STORE=postgres` on the other store.

mod api;
mod file;
mod jobs;
mod kit;
mod pages;
mod push;
mod replicas;
mod service;
mod two_persons;
