//! Names and reasons that want to be markup, or to read as something else, are text.

use anyhow::ensure;
use axon_tests::SOON;

use crate::kit::{Browser, CARA, KIM, operator, peopled};

const SCRIPT: &str = "<script>alert('x')</script>@acme.example";
const TURNED: &str = "a\u{202e}moc.live@acme.example";

#[tokio::test]
async fn hostile_names_and_reasons_are_shown_as_text() -> anyhow::Result<()> {
    let stage = peopled().await?;
    let browser = Browser::with(&stage, &operator(&stage, "ana", "grant,holds.read").await?).await?;
    for name in [SCRIPT, TURNED] {
        stage.scim.person(name).await?;
    }
    let long = format!("\"><img src=x onerror=y>{}", "w".repeat(970));
    for person in [SCRIPT, TURNED] {
        let fields = [("user", CARA), ("as", person), ("minutes", "5"), ("reason", &long)];
        browser.post("/console/acting", "/console/acting", &fields).await?.is(422)?;
    }
    let page = browser.get("/console/acting").await?.is(200)?;
    let page = page
        .says(&[
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;",
            "a\\u{202e}moc.live",
            "&quot;&gt;&lt;img src=x",
            &"w".repeat(970),
        ])?
        .lacks(&["<script", "<img", "\u{202e}"])?;
    ensure!(page.text.matches("<article").count() == page.text.matches("</article>").count());
    ensure!(!page.headers.contains_key("content-encoding"), "a page with a key in it is not compressed");
    // What is typed and refused comes back as what it was, and not as markup.
    let fields = [("user", "\"><script>x</script>"), ("as", KIM), ("minutes", "5"), ("reason", "<b>")];
    let page = browser.post("/console/acting", "/console/acting", &fields).await?.is(404)?;
    page.says(&["value=\"&quot;&gt;&lt;script&gt;x&lt;/script&gt;\"", "value=\"&lt;b&gt;\""])?
        .lacks(&["<script", "<b>"])?;
    let fields = [("user", CARA), ("as", KIM), ("minutes", "5"), ("reason", &"r".repeat(4_000))];
    browser
        .post("/console/acting", "/console/acting", &fields)
        .await?
        .is(400)?
        .says(&["is over 1000 characters"])?;
    // The names stand in the targets' notes and waits, too.
    axon_tests::until("the target was looked at", SOON, async || {
        let page = browser.get("/console").await?.is(200)?;
        ensure!(!page.text.contains("<script") && !page.text.contains('\u{202e}'));
        Ok((!page.text.contains("not looked at yet")).then_some(()))
    })
    .await
}
