//! The requests, as bytes. They are those that Entra sends.

use std::io::Write as _;

/// Where the SCIM endpoints are, and how a caller is known.
#[derive(Debug, Clone)]
pub struct Door {
    /// The path before `/Users`.
    pub base: &'static str,
    /// The header line that authenticates, with its line end; empty where the server asks for none.
    pub authorization: String,
}

const AND_HOST: &str = " HTTP/1.1\r\nHost: bench\r\nAccept: application/scim+json\r\n";

impl Door {
    /// Axon's own.
    pub fn axon(token: &str) -> Self {
        Self { base: "/scim/v2", authorization: format!("Authorization: Bearer {token}\r\n") }
    }

    /// GET of a path below the base.
    pub fn get(&self, out: &mut Vec<u8>, path: &str) {
        self.head(out, "GET", path);
        out.extend_from_slice(b"\r\n");
    }

    /// GET of a user.
    pub fn user(&self, out: &mut Vec<u8>, id: &str) {
        for part in ["GET ", self.base, "/Users/", id, AND_HOST, &self.authorization, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// A request with a body.
    pub fn send(&self, out: &mut Vec<u8>, verb: &str, path: &str, body: &str) {
        self.head(out, verb, path);
        let _ = write!(
            out,
            "Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
    }

    fn head(&self, out: &mut Vec<u8>, verb: &str, path: &str) {
        let _ = write!(out, "{verb} {}{path}{AND_HOST}{}", self.base, self.authorization);
    }

    /// `userName eq`.
    pub fn find(&self, out: &mut Vec<u8>, user_name: &str) {
        self.head_of_find(out, user_name);
        out.extend_from_slice(b"\r\n");
    }

    fn head_of_find(&self, out: &mut Vec<u8>, user_name: &str) {
        let name = user_name.replace('@', "%40");
        self.head(out, "GET", &format!("/Users?filter=userName%20eq%20%22{name}%22"));
    }
}

/// GET of the health endpoint.
pub fn health(out: &mut Vec<u8>) {
    out.extend_from_slice(b"GET /healthz HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n");
}

/// A user as Entra pushes one.
pub fn user(user_name: &str) -> String {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"x-{user_name}","userName":"{user_name}","active":true,"displayName":"A Person","emails":[{{"primary":true,"type":"work","value":"{user_name}"}}],"name":{{"formatted":"A Person","familyName":"Person","givenName":"A"}},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"department":"Sales","employeeNumber":"7"}}}}"#
    )
}

/// PATCH that puts a member into a group.
pub fn join(member: &str) -> String {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"Add","path":"members","value":[{{"value":"{member}"}}]}}]}}"#
    )
}

/// PATCH that takes a member out of a group.
pub fn leave(member: &str) -> String {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"Remove","path":"members","value":[{{"value":"{member}"}}]}}]}}"#
    )
}
