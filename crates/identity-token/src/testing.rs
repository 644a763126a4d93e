//! A loopback issuer whose keys rotate, for tests of whoever verifies tokens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A private key with its id.
pub struct SigningKey {
    kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
}

impl SigningKey {
    /// A new RSA key of 2048 bits.
    pub fn rsa(kid: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        Self { kid: kid.to_owned(), pair: Pair::Rsa(Box::new(pair)) }
    }

    /// A new key on P-256.
    pub fn p256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { kid: kid.to_owned(), pair: Pair::Ec(pair) }
    }

    /// Its public half as a JWK.
    pub fn jwk(&self) -> Value {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                json!({"kty": "RSA", "use": "sig", "kid": self.kid,
                       "n": part(n.big_endian_without_leading_zero()), "e": part(e.big_endian_without_leading_zero())})
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "use": "sig", "kid": self.kid, "crv": "P-256",
                       "x": part(&point[1..33]), "y": part(&point[33..])})
            }
        }
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let alg = match &self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
        };
        self.sign_with(&json!({"typ": "JWT", "alg": alg, "kid": self.kid}), claims)
    }

    /// A token with this header.
    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let random = SystemRandom::new();
        let signed = match &self.pair {
            Pair::Rsa(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut out)
                    .expect("a signature");
                out
            }
            Pair::Ec(pair) => pair.sign(&random, message.as_bytes()).expect("a signature").as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signed))
    }
}

/// What an issuer answers, by path.
#[derive(Default)]
struct Shown {
    documents: BTreeMap<String, (u16, String)>,
    asked: BTreeMap<String, u32>,
}

/// A server on loopback that shows discovery documents and keys.
pub struct FakeIssuer {
    base: String,
    shown: Arc<Mutex<Shown>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for FakeIssuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl FakeIssuer {
    /// Starts one that shows nothing yet.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let shown: Arc<Mutex<Shown>> = Arc::default();
        let serving = tokio::spawn({
            let shown = shown.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(answer(stream, shown.clone()));
                }
            }
        });
        Self { base, shown, serving }
    }

    /// Where it is: also a name for an issuer.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Shows a document.
    pub fn show(&self, path: &str, status: u16, body: impl Into<String>) {
        self.shown().documents.insert(path.to_owned(), (status, body.into()));
    }

    /// Shows these keys, and a discovery document of an issuer of this name under a path.
    pub fn issue(&self, path: &str, issuer: &str, keys: &[&SigningKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.show(&format!("{path}/keys"), 200, json!({ "keys": keys }).to_string());
        let document = json!({"issuer": issuer, "jwks_uri": format!("{}{path}/keys", self.base)});
        self.show(&format!("{path}/.well-known/openid-configuration"), 200, document.to_string());
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> u32 {
        self.shown().asked.get(path).copied().unwrap_or(0)
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request, one answer, one connection.
async fn answer(mut stream: TcpStream, shown: Arc<Mutex<Shown>>) {
    let (mut head, mut chunk) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|four| four == b"\r\n\r\n") && head.len() < 16 * 1024 {
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => head.extend_from_slice(&chunk[..n]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&head);
    let path = text.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let (status, body) = {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown.asked.entry(path.clone()).or_default() += 1;
        shown.documents.get(&path).cloned().unwrap_or((404, String::new()))
    };
    let location = if (300..400).contains(&status) { format!("location: {body}\r\n") } else { String::new() };
    let answer = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{location}connection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
