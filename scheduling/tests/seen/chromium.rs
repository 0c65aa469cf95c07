//! Debian's Chromium, told what to do over its own protocol on a pipe.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use chassis::testing::PATIENCE;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser with one open page.
pub(crate) struct Chromium {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    /// Every address that the page asked anything of.
    pub(crate) asked: Vec<String>,
    /// What the page wrote to its console as errors: broken policies among them.
    pub(crate) errors: Vec<String>,
    _profile: TempDir,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Whoever is gone already needs no ending.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Chromium {
    /// Starts it and opens a page.
    pub(crate) fn open(url: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // It speaks on file descriptors 3 and 4.
        let script = "exec chromium \"$@\" 3<&0 4>&1 >/dev/null 2>&1 </dev/null";
        let data = format!("--user-data-dir={}", profile.path().display());
        let mut child = Command::new("sh")
            .args([
                "-c",
                script,
                "sh",
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--window-size=1200,900",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args(["--remote-debugging-pipe", &data, "about:blank"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for message in stdout.split(0) {
                let message = serde_json::from_slice(&message.unwrap_or_default());
                if message.is_ok_and(|message| sender.send(message).is_err()) {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            requests,
            answers,
            calls: 0,
            session: None,
            asked: Vec::new(),
            errors: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let id = &target["targetId"];
        let attach = json!({ "targetId": id, "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        let focus = json!({ "enabled": true });
        browser.call("Emulation.setFocusEmulationEnabled", &focus);
        for domain in [
            "Network.enable",
            "Page.enable",
            "Runtime.enable",
            "Log.enable",
        ] {
            browser.call(domain, &json!({}));
        }
        browser.go(url);
        browser
    }

    /// Calls a method of the protocol.
    ///
    /// # Panics
    /// If it is refused.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        let answer = self.ask(method, params);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let mut request = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        let mut bytes = request.to_string().into_bytes();
        bytes.push(0);
        self.requests.write_all(&bytes).unwrap();
        loop {
            let message = self.answers.recv_timeout(PATIENCE);
            let message = message.unwrap_or_else(|e| panic!("{method}: no answer: {e}"));
            if message["id"] == self.calls {
                return message;
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let params = &message["params"];
        match message["method"].as_str() {
            Some("Network.requestWillBeSent") => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                self.asked.push(url.to_owned());
            }
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => {
                self.errors.push(params["entry"].to_string());
            }
            Some("Runtime.exceptionThrown") => self.errors.push(params.to_string()),
            _ => {}
        }
    }

    /// Opens a page, whole.
    pub(crate) fn go(&mut self, url: &str) {
        let gone = self.call("Page.navigate", &json!({ "url": url }));
        assert!(gone["errorText"].is_null(), "{url}: {gone}");
        self.until("document.readyState === 'complete'");
    }

    /// What this expression is on the page.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let ask = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
            "userGesture": true,
        });
        let answer = self.call("Runtime.evaluate", &ask);
        let wrong = &answer["exceptionDetails"];
        assert!(wrong.is_null(), "{expression}: {wrong}");
        answer["result"]["value"].clone()
    }

    /// Waits until this is so on the page, whichever that is by then.
    pub(crate) fn until(&mut self, condition: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ask = json!({ "expression": condition, "returnByValue": true });
            // An error says that the page became another one meanwhile.
            let answer = self.ask("Runtime.evaluate", &ask);
            if answer["result"]["result"]["value"] == json!(true) {
                return;
            }
            let late = Instant::now() > deadline;
            assert!(!late, "never so: {condition}\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5)); // why: polls
        }
    }

    /// Waits until the page shows this.
    pub(crate) fn sees(&mut self, text: &str) {
        self.until(&format!(
            "document.body.innerText.includes({})",
            json!(text)
        ));
    }

    /// What the page shows, as text.
    pub(crate) fn text(&mut self) -> String {
        let text = self.eval("document.body.innerText");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Writes into a field as a person does.
    pub(crate) fn write(&mut self, selector: &str, text: &str) {
        let selector = json!(selector);
        self.eval(&format!("document.querySelector({selector}).focus()"));
        self.eval(&format!("document.querySelector({selector}).select?.()"));
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Clicks on something; a page that follows from it may come at any time from then on.
    pub(crate) fn click(&mut self, selector: &str) {
        let selector = json!(selector);
        self.eval(&format!("document.querySelector({selector}).nodeName"));
        let click = format!("document.querySelector({selector}).click()");
        self.eval(&format!("void setTimeout(() => {click})"));
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "text": key });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Prefers `light` or `dark`.
    pub(crate) fn prefers(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        );
    }

    /// Writes what is seen into a file.
    pub(crate) fn screenshot(&mut self, file: &Path) {
        let shot = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        let text = shot["data"].as_str().unwrap();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}
