//! The operators' page of a fleet that asks for tokens, over plain HTTP as a browser speaks it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use chassis::testing::{Operator, PATIENCE};
use rpc::Channel;
use scheduling::{GetServiceArgs, SchedulingClient};
use security::{RevokeTokenArgs, SecurityClient};

use crate::authorisation::{ADMIN, Guarded, at, guarded};

/// A browser without scripts.
struct Browser {
    page: SocketAddr,
    cookie: Option<String>,
}

impl Browser {
    async fn of(fleet: &Guarded) -> Self {
        Self {
            page: fleet.address("dashboard"),
            cookie: None,
        }
    }

    fn head(&self, method: &str, path: &str) -> String {
        let cookie = self.cookie.as_ref();
        let cookie = cookie.map(|cookie| format!("Cookie: a=b; {cookie}\r\n"));
        let (host, cookie) = (self.page, cookie.unwrap_or_default());
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{cookie}")
    }

    fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.page).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        let head = self.head("GET", path);
        self.send(&format!("{head}Connection: close\r\n\r\n"))
    }

    fn post(&self, path: &str, form: &str) -> String {
        let head = self.head("POST", path);
        let (host, length) = (self.page, form.len());
        self.send(&format!(
            "{head}Origin: http://{host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{form}"
        ))
    }

    /// Logs in; whether that went well.
    fn log_in(&mut self, token: &str) -> String {
        let answer = self.post("/login", &format!("token={token}&then=/nodes"));
        let line = answer.lines().find_map(|l| l.strip_prefix("set-cookie: "));
        self.cookie = line.map(|line| line.split(';').next().unwrap().to_owned());
        answer
    }

    fn csrf(&self) -> String {
        let page = self.get("/");
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

async fn replicas(fleet: &Guarded, service: &str) -> u32 {
    let name = service.to_owned();
    let asked = fleet.scheduling();
    let service = asked.get_service(&GetServiceArgs { name }).await;
    service.unwrap().service.replicas
}

#[tokio::test]
async fn nobody_sees_or_does_anything_before_logging_in() {
    let fleet = guarded(&[]).await;
    let mut browser = Browser::of(&fleet).await;
    for path in [
        "/",
        "/instances",
        "/services/echo",
        "/tokens",
        "/nothing",
        "/?format=json",
    ] {
        let answer = browser.get(path);
        assert_eq!(status(&answer), "303", "{path}: {answer}");
        assert!(answer.contains("location: /login?then=/"), "{answer}");
        assert!(!answer.contains("echo.0.1"), "{answer}");
    }
    for path in ["/live", "/names"] {
        assert_eq!(status(&browser.get(path)), "401", "{path}");
    }
    let before = replicas(&fleet, "echo").await;
    assert_eq!(
        status(&browser.post("/services/echo/scale", "replicas=9")),
        "401"
    );
    browser.cookie = Some(format!("orrery_session={}", "0".repeat(64)));
    assert_eq!(
        status(&browser.post("/services/echo/scale", "replicas=9")),
        "401"
    );
    assert_eq!(status(&browser.get("/")), "303");
    assert_eq!(replicas(&fleet, "echo").await, before);
    let wrong = browser.log_in("orrery_a_wrong_secret");
    assert_eq!(status(&wrong), "403", "{wrong}");
    assert!(
        !wrong.contains("orrery_a_wrong_secret") && !wrong.contains("set-cookie"),
        "{wrong}"
    );

    // With a good token one comes to where one wanted to go; the cookie is for this page alone.
    let right = browser.log_in(ADMIN);
    assert_eq!(status(&right), "303", "{right}");
    assert!(right.contains("location: /nodes"), "{right}");
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(right.contains(flag), "{right}");
    }
    let page = browser.get("/services/echo");
    assert!(page.contains("Replicas") && !page.contains(ADMIN), "{page}");

    // Out again: the cookie is worth nothing.
    let out = browser.post("/logout", &format!("csrf={}", browser.csrf()));
    assert_eq!(status(&out), "303", "{out}");
    assert_eq!(status(&browser.get("/")), "303");
}

#[tokio::test]
async fn an_operator_scales_from_the_page_and_the_open_page_is_told() {
    let fleet = guarded(&[]).await;
    let mut browser = Browser::of(&fleet).await;
    browser.log_in(ADMIN);
    let csrf = browser.csrf();
    let mut stream = TcpStream::connect(browser.page).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = format!("{}\r\n", browser.head("GET", "/live"));
    stream.write_all(ask.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut heard = |event: &str| {
        let wanted = format!("event: {event}");
        assert!(lines.any(|line| line.unwrap() == wanted), "{event}");
    };
    // A quiet fleet says that it is well; a change is told at once.
    heard("alive");
    let wanted = replicas(&fleet, "echo").await + 1;
    let form = format!("csrf={csrf}&replicas={wanted}");
    let begun = Instant::now();
    assert_eq!(status(&browser.post("/services/echo/scale", &form)), "303");
    heard("change");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    let deadline = Instant::now() + PATIENCE;
    let newest = format!("echo.{}.1", wanted - 1);
    while !browser.get("/instances?q=echo").contains(&newest) {
        assert!(Instant::now() < deadline, "{newest} never appeared");
        std::thread::sleep(Duration::from_millis(10)); // why: polls
    }
    assert_eq!(replicas(&fleet, "echo").await, wanted);
}

#[tokio::test]
async fn what_a_role_may_not_do_is_not_offered_and_is_refused_all_the_same() {
    let fleet = guarded(&[]).await;
    let (_, token) = fleet.token(&["*:*:read"], None).await;
    let mut browser = Browser::of(&fleet).await;
    browser.log_in(&token);
    let page = browser.get("/services/echo");
    assert_eq!(status(&page), "200", "{page}");
    for offer in ["Replicas", "Restart", "Delete", "/scale"] {
        assert!(!page.contains(offer), "{offer} is offered: {page}");
    }
    let before = replicas(&fleet, "echo").await;
    let csrf = browser.csrf();
    for (path, more) in [
        ("/services/echo/scale", "replicas=9"),
        ("/services/echo/restart", ""),
        ("/services/echo/delete", "confirm=echo"),
        ("/instances/echo.0.1/stop", "confirm=echo.0.1"),
        ("/nodes/local/cordoned", ""),
        ("/tokens", "name=mine&grants=*:*:write"),
    ] {
        let answer = browser.post(path, &format!("csrf={csrf}&{more}"));
        assert_eq!(status(&answer), "403", "{path}: {answer}");
        assert!(answer.contains("no grant"), "{path}: {answer}");
    }
    assert_eq!(replicas(&fleet, "echo").await, before);

    // Who may not even look sees nothing.
    let (_, token) = fleet.token(&["configuration:*:read"], None).await;
    let mut browser = Browser::of(&fleet).await;
    browser.log_in(&token);
    for path in ["/", "/instances", "/names"] {
        let page = browser.get(path);
        assert!(!page.contains("echo"), "{path}: {page}");
    }
    assert_eq!(status(&browser.get("/services/echo")), "403");
}

#[tokio::test]
async fn a_token_that_is_taken_back_takes_its_sessions_with_it() {
    let fleet = guarded(&[]).await;
    let (id, token) = fleet.token(&["*:*:read"], None).await;
    let mut browser = Browser::of(&fleet).await;
    browser.log_in(&token);
    assert_eq!(status(&browser.get("/")), "200");
    let mut stream = TcpStream::connect(browser.page).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = format!("{}\r\n", browser.head("GET", "/live"));
    stream.write_all(ask.as_bytes()).unwrap();
    let security = SecurityClient::new(at(fleet.address("security"), ADMIN));
    let revoked = Instant::now();
    security
        .revoke_token(&RevokeTokenArgs { id })
        .await
        .unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert!(lines.any(|line| line.unwrap() == "event: over"));
    assert!(
        revoked.elapsed() < Duration::from_secs(3),
        "{:?}",
        revoked.elapsed()
    );
    assert_eq!(status(&browser.get("/")), "303");
}

#[tokio::test]
async fn guessing_tokens_is_slowed_down() {
    let fleet = guarded(&[]).await;
    let mut browser = Browser::of(&fleet).await;
    let answers: Vec<String> = (0..20)
        .map(|n| browser.log_in(&format!("guess{n}")))
        .collect();
    let refused = answers
        .iter()
        .filter(|answer| status(answer) == "403")
        .count();
    let limited = answers
        .iter()
        .filter(|answer| status(answer) == "429")
        .count();
    assert_eq!(refused + limited, 20);
    assert!((10..15).contains(&refused), "{refused} guesses were judged");
    let last = answers.last().unwrap();
    assert!(last.contains("retry-after: "), "{last}");
}

#[tokio::test]
async fn a_token_is_made_on_the_page_shown_once_and_taken_back() {
    let fleet = guarded(&[]).await;
    let mut browser = Browser::of(&fleet).await;
    browser.log_in(ADMIN);
    let csrf = browser.csrf();
    let form = format!("csrf={csrf}&name=ci&grants=*:*:read&hours=1");
    assert_eq!(status(&browser.post("/tokens", &form)), "303");
    let shown = browser.get("/tokens");
    let (_, rest) = shown.split_once("shown this once: ").expect(&shown);
    let token = rest.split('<').next().unwrap().trim().to_owned();
    let (_, rest) = shown.split_once("Token ").expect(&shown);
    let id = rest.split(',').next().unwrap().to_owned();
    let scheduling = fleet.fleet.process.address();
    let look = || async {
        let channel = Channel::to(scheduling).with_credential(rpc::Credential::new(token.clone()));
        let client = SchedulingClient::new(channel);
        client.list_services(&rpc::Empty {}).await
    };
    let deadline = Instant::now() + PATIENCE;
    while look().await.is_err() {
        assert!(Instant::now() < deadline, "the token is never good");
        tokio::time::sleep(Duration::from_millis(5)).await; // why: polls
    }
    assert!(!browser.get("/tokens").contains(&token));
    let form = format!("csrf={csrf}&confirm={id}");
    assert_eq!(
        status(&browser.post(&format!("/tokens/{id}/revoke"), &form)),
        "303"
    );
    while look().await.is_ok() {
        assert!(Instant::now() < deadline, "the token is good for ever");
        tokio::time::sleep(Duration::from_millis(5)).await; // why: polls
    }
}

#[tokio::test]
async fn a_value_is_set_on_the_page_rolled_back_there_and_both_are_on_record() {
    let fleet = guarded(&[]).await;
    let mut browser = Browser::of(&fleet).await;
    browser.log_in(ADMIN);
    let csrf = browser.csrf();
    let set = |value: &str| {
        let form = format!("csrf={csrf}&key=greeter%2Fwords&value={value}");
        browser.post("/configuration", &form)
    };
    for value in ["hello", "good+day"] {
        let answer = set(value);
        assert!(status(&answer).starts_with("303"), "{answer}");
    }
    let page = browser.get("/configuration/greeter/words");
    assert!(
        page.contains("<del>hello</del>") && page.contains("<ins>good day</ins>"),
        "{page}"
    );
    // What cannot be a key is refused in words, and a rollback has to be confirmed.
    let form = format!("csrf={csrf}&key=greeter&value=x");
    let refused = browser.post("/configuration", &form);
    assert!(status(&refused).starts_with('4'), "{refused}");
    let back = "/configuration/greeter/words/rollback/1";
    let unconfirmed = browser.post(back, &format!("csrf={csrf}&confirm=greeter"));
    assert!(status(&unconfirmed).starts_with("422"), "{unconfirmed}");
    let done = browser.post(back, &format!("csrf={csrf}&confirm=greeter%2Fwords"));
    assert!(status(&done).starts_with("303"), "{done}");
    let page = browser.get("/configuration?q=words");
    assert!(page.contains("<code>hello</code>"), "{page}");

    let deadline = Instant::now() + PATIENCE;
    loop {
        let audit = browser.get("/audit?q=configuration");
        if audit.contains("configuration rollback") && audit.contains("configuration set") {
            break;
        }
        assert!(Instant::now() < deadline, "{audit}");
    }
}

#[tokio::test]
async fn passes_and_pipelines_say_what_there_is_and_how_to_begin() {
    let fleet = guarded(&[]).await;
    let mut browser = Browser::of(&fleet).await;
    browser.log_in(ADMIN);
    let passes = browser.get("/passes");
    assert!(passes.contains("orrery passes submit"), "{passes}");
    let empty = browser.get("/pipelines");
    assert!(
        empty.contains("orrery pipelines submit NAME PROGRAM.sql"),
        "{empty}"
    );
    let program = "CREATE TABLE n (counter BIGINT)
                     WITH (connector = 'impulse', event_rate = 100);
                   CREATE TABLE out (counter BIGINT) WITH (connector = 'blackhole');
                   INSERT INTO out SELECT counter FROM n WHERE counter < 10";
    let file = fleet.data().join("numbers.sql");
    std::fs::write(&file, program).unwrap();
    let operator = Operator::of(fleet.address("discovery")).with_token(ADMIN);
    operator.says(&[
        "pipelines",
        "submit",
        "numbers",
        &file.display().to_string(),
        "--wait",
    ]);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = browser.get("/pipelines/numbers");
        if page.contains("● running") && page.contains("n[0]") {
            break;
        }
        assert!(Instant::now() < deadline, "{page}");
    }
    let csrf = browser.csrf();
    let stop = format!("csrf={csrf}&confirm=numbers");
    let stopping = browser.post("/pipelines/numbers/stop", &stop);
    assert!(status(&stopping).starts_with("303"), "{stopping}");
    while !operator.says(&["pipelines", "list"]).contains("stopped") {
        assert!(Instant::now() < deadline, "it does not stop");
    }
}
