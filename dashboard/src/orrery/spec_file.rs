//! Spec files: read, checked before anything is sent, and pointed into when something is wrong.

use std::io::{self, Read};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use model::ServiceSpec;
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::names;
use crate::output::escape;

/// The text of a spec file and where it came from.
#[derive(Debug)]
pub(crate) struct SpecFile {
    path: String,
    text: String,
}

/// A file with several specs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several {
    service: Vec<ServiceSpec>,
}

impl SpecFile {
    /// Reads a file, or stdin when its path is `-`.
    ///
    /// # Errors
    /// `NotFound` if there is no such file; `Failed` if it cannot be read.
    pub(crate) fn read(path: &str) -> Result<Self, Failure> {
        let (text, shown) = if path == "-" {
            let mut text = String::new();
            let read = io::stdin().lock().read_to_string(&mut text);
            (read.map(|_| text), "<stdin>")
        } else {
            (std::fs::read_to_string(path), path)
        };
        let text = text.map_err(|e| {
            let exit = match e.kind() {
                io::ErrorKind::NotFound => Exit::NotFound,
                _ => Exit::Failed,
            };
            Failure::new(exit, format!("failed to read {shown}: {e}"))
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
        })
    }

    /// Its path, as the operator wrote it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The text, once everything in it makes sense that can be judged without the fleet.
    ///
    /// # Errors
    /// `Refused`, with a drawing of the place that makes none.
    pub(crate) fn checked(&self) -> Result<&str, Failure> {
        self.specs()?;
        Ok(&self.text)
    }

    /// What is in it, once everything makes sense that can be judged without the fleet.
    ///
    /// # Errors
    /// As [`checked`](Self::checked).
    pub(crate) fn specs(&self) -> Result<Vec<ServiceSpec>, Failure> {
        let table = DeTable::parse(&self.text).map_err(|e| self.wrong(&e))?;
        let specs = if table.get_ref().contains_key("service") {
            let several: Several = toml::from_str(&self.text).map_err(|e| self.wrong(&e))?;
            several.service
        } else {
            vec![toml::from_str(&self.text).map_err(|e| self.wrong(&e))?]
        };
        for spec in &specs {
            if let Err(error) = spec.check() {
                let span = self.span_of(spec.name.as_str(), error.field);
                return Err(self.draw(span, &format!("{}: {}", error.field, error.why), None));
            }
        }
        Ok(specs)
    }

    /// A refusal of scheduling that begins with the path of a field, with a drawing of the place.
    pub(crate) fn locate(&self, failure: Failure) -> Failure {
        let field = failure.what.split(':').next().unwrap_or_default();
        let is_path = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '_');
        if failure.exit != Exit::Refused || field.is_empty() || !field.chars().all(is_path) {
            return failure;
        }
        let span = self.span_of("", field);
        let mut drawn = self.draw(span, &failure.what, None);
        drawn.hints = failure.hints;
        drawn
    }

    fn wrong(&self, error: &toml::de::Error) -> Failure {
        let message = error.message();
        let span = error.span().unwrap_or(0..0);
        let Some(rest) = message.strip_prefix("unknown field ") else {
            return self.draw(span, message, None);
        };
        let mut words = rest.split('`').skip(1).step_by(2);
        let given = words.next().unwrap_or_default();
        let known: Vec<&str> = words.collect();
        let help = match names::closest(given, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys here are {}", known.join(", ")),
        };
        self.draw(span, &format!("there is no key `{given}`"), Some(&help))
    }

    /// Draws the line, with a caret under the place.
    fn draw(&self, span: Range<usize>, what: &str, help: Option<&str>) -> Failure {
        let end = floor(&self.text, span.end);
        let span = floor(&self.text, span.start.min(end))..end;
        let path = if self.path == "-" {
            "<stdin>"
        } else {
            &self.path
        };
        let (path, what) = (escape::line(path), escape::line(what));
        let snippet = Snippet::source(&self.text)
            .path(path.as_ref())
            .annotation(AnnotationKind::Primary.span(span));
        let mut group = Level::ERROR.primary_title(what.as_ref()).element(snippet);
        if let Some(help) = help {
            group = group.element(Level::HELP.message(escape::line(help)));
        }
        Failure {
            drawn: true,
            ..Failure::new(Exit::Refused, Renderer::styled().render(&[group]))
        }
    }

    /// Where a field of the spec called `name` is, or as much of its path as is there.
    fn span_of(&self, name: &str, field: &str) -> Range<usize> {
        let Ok(root) = DeTable::parse(&self.text) else {
            return 0..0;
        };
        let specs = root.get_ref().get("service").map(|s| s.get_ref());
        let table = match specs {
            Some(DeValue::Array(specs)) => specs
                .iter()
                .filter_map(|spec| spec.get_ref().as_table())
                .find(|spec| called(spec) == Some(name)),
            _ => Some(root.get_ref()),
        };
        let (Some(mut table), mut span) = (table, 0..0) else {
            return 0..0;
        };
        for key in field.split('.') {
            let Some((_, value)) = table.get_key_value(key) else {
                break;
            };
            span = value.span();
            match value.get_ref() {
                DeValue::Table(inner) => table = inner,
                _ => break,
            }
        }
        span
    }
}

fn called<'a>(spec: &'a DeTable<'_>) -> Option<&'a str> {
    spec.get("name")?.get_ref().as_str()
}

/// The nearest place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::SpecFile;
    use crate::exit::Exit;

    fn refused(text: &str) -> String {
        let file = SpecFile {
            path: "echo.toml".to_owned(),
            text: text.to_owned(),
        };
        let failure = file.checked().expect_err(text);
        assert_eq!(failure.exit, Exit::Refused);
        anstream::adapter::strip_str(&failure.what).to_string()
    }

    const GOOD: &str = "name = \"echo\"\nreplicas = 3\n[artifact.command]\nprogram = \"true\"\n";

    #[test]
    fn a_good_file_passes_as_it_is() {
        let several = format!("[[service]]\n{}", GOOD.replace("[art", "[service.art"));
        for text in [GOOD, &several] {
            let file = SpecFile {
                path: "echo.toml".to_owned(),
                text: text.to_owned(),
            };
            assert_eq!(file.checked().expect("it is good"), text);
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at_with_file_line_and_column() {
        for (text, place, says) in [
            (
                GOOD.replace("replicas", "replicsa"),
                ":2:1",
                "did you mean `replicas`?",
            ),
            (GOOD.replace("= 3", "= -3"), ":2:12", "-3"),
            (
                GOOD.replace("= 3", "= 100001"),
                ":2:12",
                "replicas: at most 100000",
            ),
            (GOOD.replace("= 3", "="), ":2:11", "error"),
            (GOOD.replace("\"echo\"", "\"Echo!\""), ":1:8", "lower-case"),
            (
                GOOD.replace("\"true\"", "\"\""),
                ":4:11",
                "artifact.command.program: it is empty",
            ),
            (
                format!("{GOOD}[limits]\nmemory = 5\n"),
                ":6:1",
                "did you mean `memory_bytes`?",
            ),
            (String::new(), ":1:1", "missing field"),
            ("# ü\nname = 'ä".to_owned(), ":2:", "error"),
        ] {
            let drawn = refused(&text);
            assert!(
                drawn.contains(&format!("echo.toml{place}")),
                "{place}:\n{drawn}"
            );
            assert!(drawn.contains(says), "{says}:\n{drawn}");
        }
    }
}
