//! A browser that is no browser: it keeps a cookie, posts forms as pages have them, and follows nothing by itself.

use std::sync::Mutex;

use anyhow::{Context, ensure};
use axon_tests::{CONFIG, MAP, Place, Pool, Record, Serve, Stage};
use reqwest::header::HeaderMap;
use reqwest::{Client, redirect};

pub const KIM: &str = "kim@acme.example";
pub const CARA: &str = "cara@acme.example";
pub const DAN: &str = "dan@acme.example";

/// The suites' map with two roles that let people read as others, of which one asks for a second person.
pub fn map() -> String {
    let roles = "roles:\n  support: { impersonate: { warehouse: { roles: [reader], for: 1h } } }\n  \
                 deputy: { impersonate: { warehouse: { roles: [reader], for: 2h, reason: optional, second_person: true } } }\n";
    let mappings = "mappings:\n  - { groups: { any: [Support] }, source: entra, roles: [support] }\n  \
                    - { groups: { any: [Deputies] }, source: entra, roles: [deputy] }\n";
    MAP.replace("roles:\n  reader", &format!("{roles}  reader")).replace("mappings:\n", mappings)
}

/// A server with a console. `settings`: more of its section.
pub async fn stage(settings: &str) -> anyhow::Result<Stage> {
    let place = Place::new([KIM, CARA, DAN])?;
    let pool = Pool::start(&place, 0).await?;
    place.furnish(&map(), pool.port()?)?;
    place.write("axon.yaml", &format!("{CONFIG}console: {{ enabled: true{settings} }}\n"))?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    Ok(Stage { pool, serve, scim, token, place })
}

/// The same with Kim, who reads, Cara, who may read as others, and Dan, who may if a second person says so.
pub async fn peopled() -> anyhow::Result<Stage> {
    let stage = stage("").await?;
    for (group, name) in [("Readers", KIM), ("Support", CARA), ("Deputies", DAN)] {
        let person = stage.scim.person(name).await?;
        stage.scim.group(group, &[&person]).await?;
    }
    Ok(stage)
}

/// Makes an operator's token.
pub async fn operator(stage: &Stage, name: &str, may: &str) -> anyhow::Result<String> {
    let made = stage.place.axon(&["token", "create", "--operator", name, "--may", may]).await?.exits(0)?;
    Ok(made.out.trim().to_owned())
}

/// The records of what people asked for and answered: all that the pages can write.
pub async fn written(stage: &Stage) -> anyhow::Result<Vec<Record>> {
    let journal = stage.place.journal().await?;
    let by_people = |record: &Record| record.kind.starts_with("access") || record.kind.starts_with("hold");
    Ok(journal.into_iter().filter(by_people).collect())
}

/// A browser with its cookie.
pub struct Browser {
    client: Client,
    base: String,
    pub cookie: Mutex<Option<String>>,
}

/// What it was answered.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Page {
    pub fn is(self, status: u16) -> anyhow::Result<Self> {
        ensure!(self.status == status, "{} instead of {status}: {}", self.status, self.text);
        Ok(self)
    }

    pub fn says(self, words: &[&str]) -> anyhow::Result<Self> {
        for word in words {
            ensure!(self.text.contains(word), "the page lacks {word:?}: {}", self.text);
        }
        Ok(self)
    }

    pub fn lacks(self, words: &[&str]) -> anyhow::Result<Self> {
        for word in words {
            ensure!(!self.text.contains(word), "the page has {word:?}: {}", self.text);
        }
        Ok(self)
    }

    pub fn goes(self, path: &str) -> anyhow::Result<Self> {
        let to = self.headers.get("location").and_then(|to| to.to_str().ok());
        ensure!(
            self.status == 303 && to == Some(path),
            "{} {to:?} instead of {path}: {}",
            self.status,
            self.text
        );
        Ok(self)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What stands behind these words, up to the next quote.
    pub fn behind(&self, words: &str) -> anyhow::Result<String> {
        let rest = self.text.split_once(words).with_context(|| format!("no {words:?} in {}", self.text))?.1;
        Ok(rest.split('"').next().unwrap_or_default().to_owned())
    }

    /// The key of its forms.
    pub fn key(&self) -> anyhow::Result<String> {
        self.behind("name=\"key\" value=\"")
    }
}

impl Browser {
    pub fn of(stage: &Stage) -> anyhow::Result<Self> {
        let client = Client::builder().redirect(redirect::Policy::none()).build()?;
        Ok(Self { client, base: stage.serve.address().to_owned(), cookie: Mutex::default() })
    }

    /// Signed in.
    pub async fn with(stage: &Stage, token: &str) -> anyhow::Result<Self> {
        let browser = Self::of(stage)?;
        browser.signs_in(token).await?.goes("/console")?;
        Ok(browser)
    }

    pub async fn signs_in(&self, token: &str) -> anyhow::Result<Page> {
        self.send("/console/sign-in", &[("token", token)], &[("origin", &self.base)]).await
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Page> {
        let request = self.client.get(format!("{}{path}", self.base));
        self.answer(request).await
    }

    /// Posts a form of the page that stands at `from`.
    pub async fn post(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<Page> {
        let key = self.get(from).await?.is(200)?.key()?;
        let fields: Vec<_> = fields.iter().copied().chain([("key", key.as_str())]).collect();
        self.send(path, &fields, &[("origin", &self.base)]).await
    }

    /// Posts these fields with these headers and nothing else.
    pub async fn send(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Page> {
        let form: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = self.client.post(format!("{}{path}", self.base));
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(form.join("&"));
        self.answer(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
            .await
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Page> {
        let kept = self.cookie.lock().ok().and_then(|cookie| cookie.clone());
        let request = match kept {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        if let Some(set) = headers.get("set-cookie").and_then(|value| value.to_str().ok()) {
            let cookie = set.split(';').next().unwrap_or_default().to_owned();
            *self.cookie.lock().map_err(|_| anyhow::anyhow!("the cookie"))? = Some(cookie);
        }
        Ok(Page { status, headers, text: answer.text().await? })
    }
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
