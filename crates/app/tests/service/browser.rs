//! The page in a real browser: Chromium, driven by its own driver. Where there is none the test says so and is skipped;
//! in continuous integration it fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

use crate::harness::{App, BOUND, Place, until};
use crate::status::take;

/// The driver and its browser; both end when it is dropped.
struct Driver {
    child: Child,
    address: String,
    session: Option<String>,
}

impl Driver {
    fn start() -> Option<Self> {
        // It finds Chromium, or Chrome, by itself.
        if Command::new("chromedriver").arg("--version").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var_os("CI").is_none(), "cannot check: chromedriver is missing");
            eprintln!("skipped: chromedriver is missing (apt install chromium-driver)");
            return None;
        }
        let mut child = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port = lines.find_map(|line| Some(line.split_once("started successfully on port ")?.1.to_owned())).unwrap();
        // It goes on printing; nobody reads it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, address: format!("127.0.0.1:{}", port.trim_end_matches('.')), session: None })
    }

    async fn browser(&mut self) -> Client {
        // The superuser of a container has no sandbox, and /dev/shm is small there.
        let arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--accept-lang=fr"];
        let wanted = json!({"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}});
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        let builder = builder.capabilities(wanted.as_object().unwrap().clone());
        let browser = builder.connect(&format!("http://{}", self.address)).await.unwrap();
        self.session = browser.session_id().await.unwrap();
        browser
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A driver that is killed leaves its browser behind.
        if let Some(session) = &self.session {
            let mut driver = TcpStream::connect(&self.address).unwrap();
            let request = format!("DELETE /session/{session} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
            driver.set_read_timeout(Some(BOUND)).unwrap();
            driver.write_all(request.as_bytes()).unwrap();
            let ended = driver.read(&mut [0; 64]);
            eprintln!("the browser ends: {ended:?}");
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What a person reads of the element that a selector finds; in one step, since the page may replace it at any time.
async fn text(browser: &Client, selector: &str) -> Result<String, String> {
    let script = "return document.querySelector(arguments[0])?.innerText ?? null";
    let found = browser.execute(script, vec![selector.into()]).await.map_err(|error| error.to_string())?;
    found.as_str().map(str::to_owned).ok_or_else(|| format!("{selector} is not there"))
}

/// Waits until the text of an element is as expected.
async fn shows(browser: &Client, selector: &str, expected: impl Fn(&str) -> bool) {
    until(async || match text(browser, selector).await? {
        found if expected(&found) => Ok(()),
        found => Err(format!("{selector} shows {found:?}")),
    })
    .await;
}

async fn add(browser: &Client, message: &str) {
    browser.find(Locator::Id("message")).await.unwrap().send_keys(message).await.unwrap();
    browser.find(Locator::Css("form button")).await.unwrap().click().await.unwrap();
    shows(browser, "#notice", |notice| notice.starts_with("Message enregistré sur le disque")).await;
}

fn start(place: &Place, address: &str) -> App {
    let mut command = place.command();
    command.arg("--repository").arg(place.path().join("backup")).args(["--listen", address]);
    App::start(command)
}

#[tokio::test]
async fn a_person_sees_the_exposure_fall_and_an_outage_come_and_go() {
    let Some(mut driver) = Driver::start() else { return };
    let place = Place::new();
    std::fs::create_dir(place.path().join("backup")).unwrap();
    let app = start(&place, "127.0.0.1:0");
    let browser = driver.browser().await;
    browser.goto(&format!("http://{}/", app.address)).await.unwrap();

    let hostile = "<script>document.title='run'</script>";
    add(&browser, hostile).await;
    shows(&browser, "#messages td:nth-child(2)", |shown| shown == hostile).await;
    assert_eq!(browser.title().await.unwrap(), "opérationnel · Atelier PRA/PCA");
    shows(&browser, "#headline", |headline| headline == "Rien n’est protégé").await;
    shows(&browser, "#exposed-messages", |exposed| exposed == "1").await;
    shows(&browser, "#exposed-seconds", |exposed| exposed != "0 s").await;

    let point = take(&place, &place);
    shows(&browser, "#exposed-messages", |exposed| exposed == "0").await;
    shows(&browser, "#exposed-seconds", |exposed| exposed == "0 s").await;
    shows(&browser, "#file", |file| file == point).await;
    shows(&browser, "#headline", |headline| headline == "Tout est protégé").await;

    // Of another client, without a reload.
    app.add("live").await.id();
    shows(&browser, "#messages", |messages| messages.contains("live")).await;

    let address = app.address.clone();
    app.kill();
    shows(&browser, "#state-text", |state| state == "en panne : aucune réponse").await;
    assert_eq!(browser.title().await.unwrap(), "en panne : aucune réponse · Atelier PRA/PCA");
    shows(&browser, "#last-known:not([hidden])", |shown| shown.starts_with("Le service ne répond pas")).await;
    shows(&browser, "#outage-time", |time| !["", "0 s"].contains(&time)).await;
    let app = start(&place, &address);
    shows(&browser, "#state-text", |state| state == "rétabli").await;
    shows(&browser, "#count", |count| count == "2").await;
    shows(&browser, "#last-known[hidden]", |_| true).await;
    browser.find(Locator::Css("#chart .outage-band")).await.unwrap();

    // Wrong data, without an outage.
    place.sqlite().execute("DELETE FROM message WHERE message = 'live'", []).unwrap();
    shows(&browser, "#state-text", |state| state == "répond, mais des messages ont disparu").await;
    shows(&browser, "#missing-count", |missing| missing == "1").await;

    // A stop ends the stream at once, and is an outage as well; but one that was wanted.
    app.stop();
    shows(&browser, "#state-text", |state| state == "arrêté").await;
}
