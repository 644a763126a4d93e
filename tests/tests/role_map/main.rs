//! The role map's page as somebody follows it: every command line of it is run against the real binary, and a preview's statements are
//! those that are sent.

mod page;
mod views;
