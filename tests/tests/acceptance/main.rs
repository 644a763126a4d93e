//! The identity providers' own acceptance lists, rebuilt: each against the real binary, each row by its name.
//!
//! | list | file |
//! |---|---|
//! | Microsoft's SCIM Validator, mandatory and preview, two dialects, three modes | `validator` |
//! | Entra's account discovery | `discovery` |
//! | Microsoft's Postman collection, its shapes | `postman` |
//! | Okta's SPEC test, CRUD story, group push and import, catalogue and wizard apps | `okta` |
//! | scim2-tester and scim-sanity | `conformance` |

mod conformance;
mod discovery;
mod okta;
mod postman;
mod validator;
