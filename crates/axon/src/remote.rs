//! A server's API over HTTP, as the commands with `--url` use it.

use std::time::Duration;

use anyhow::{Context, bail};
use axon_identity_token::Address;
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::person::{self, Proof};

/// Where the token may stand, beside a file.
const TOKEN: &str = "AXON_OPERATOR_TOKEN";

/// A server, and the token that is shown to it.
pub struct Remote {
    client: reqwest::Client,
    base: String,
    token: String,
    largest: usize,
}

impl Remote {
    /// Asks nothing yet. A token goes over https alone, or to this machine. `largest`: the largest answer, bytes.
    pub fn new(url: &str, proof: &Proof, patience: Duration, largest: usize) -> anyhow::Result<Self> {
        let base = url.trim_end_matches('/').to_owned();
        Address::parse(&base).context("--url")?;
        let token = match &proof.token_file {
            Some(file) => person::read_token(file)?,
            None => std::env::var(TOKEN)
                .with_context(|| format!("a server asks for a token: --token-file FILE, or {TOKEN}"))?,
        };
        let client = reqwest::Client::builder()
            .timeout(patience)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("no client can be made")?;
        Ok(Self { client, base, token: token.trim().to_owned(), largest })
    }

    /// What is answered to a request, which may be given headers and a body.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        // Neither the address nor the token is in the error: a proxy's words may be.
        let mut answer =
            with(request).send().await.with_context(|| format!("{} does not answer", self.base))?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.context("the answer ended early")? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > self.largest {
                bail!("the answer is over {} bytes", self.largest);
            }
        }
        Ok((status, bytes))
    }

    /// What to say of an answer that is no answer of this API.
    pub fn stranger(&self) -> String {
        format!("{} does not answer as Axon does", self.base)
    }
}
