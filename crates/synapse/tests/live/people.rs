//! The people of the emulator's directory, and tokens for them: unsigned, as the emulator checks no signature.

/// One administrator and one person.
pub const DIRECTORY: &str = r#"{
    "users": [
        {"upn": "admin@acme.com", "objectId": "00000000-0000-0000-0000-00000000000a"},
        {"upn": "kim@acme.com", "objectId": "01234567-89ab-cdef-0123-456789abcdef"}
    ]
}"#;

pub fn admin_token() -> String {
    "eyJhbGciOiJub25lIn0.eyJ1cG4iOiJhZG1pbkBhY21lLmNvbSJ9.".to_owned()
}
