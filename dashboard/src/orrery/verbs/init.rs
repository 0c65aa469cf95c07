//! `orrery init`: a spec to start from.

use std::fs::File;
use std::io::{ErrorKind, Write as _};

use clap::Args;
use model::ServiceName;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// Write a spec to start from, with everything explained that most services need.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  orrery init hello                  writes hello.toml; change it, then: orrery plan hello.toml
  orrery init hello -- /usr/bin/python3 -m http.server
  orrery init hello --file -         prints it")]
pub(crate) struct Init {
    /// The name of the service: lower-case letters, digits and -.
    name: String,
    /// Where to write it; - is stdout. A file that is there is left alone.
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// The program to run, with its arguments.
    #[arg(last = true)]
    program: Vec<String>,
}

impl Init {
    pub(super) fn run(self, session: &Session) -> Result<(), Failure> {
        let name = ServiceName::new(self.name.clone());
        let name = name.map_err(|e| Failure::new(Exit::Usage, e.to_string()))?;
        let text = spec(name.as_str(), &self.program);
        let path = self.file.unwrap_or_else(|| format!("{name}.toml"));
        if path == "-" {
            return session.out.text(&text);
        }
        let mut file = File::create_new(&path).map_err(|e| refused(&path, &e))?;
        file.write_all(text.as_bytes())?;
        session.out.say(format!("{path} is written"));
        let plan = format!("orrery plan {path}");
        session.out.suggest("see what it would do", plan);
        Ok(())
    }
}

fn refused(path: &str, error: &std::io::Error) -> Failure {
    let what = format!("failed to write {path}: {error}");
    let failure = Failure::new(Exit::Failed, what);
    match error.kind() {
        ErrorKind::AlreadyExists => failure.hint("give another name: --file FILE"),
        _ => failure,
    }
}

/// A spec whose values are those one would most likely change.
fn spec(name: &str, program: &[String]) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let (program, args) = match program.split_first() {
        Some((program, args)) => (program.as_str(), args.to_vec()),
        None => ("sleep", vec!["1000".to_owned()]),
    };
    let args: Vec<String> = args.iter().map(|arg| quoted(arg)).collect();
    let (name, program, args) = (quoted(name), quoted(program), args.join(", "));
    format!(
        "# What `orrery apply` wishes for. All keys: orrery spec SERVICE, of any service.
name = {name}
replicas = 1
# Services that have to be healthy before the first start of this one.
# after = [\"discovery\"]

# What runs: a program, or a binary of a Cargo package:
# artifact.cargo = {{ manifest_path = \"hello/Cargo.toml\", bin_name = \"hello\" }}
[artifact.command]
program = {program}
args = [{args}]

[env]
# LEVEL = \"info\"

# With `wanted` each replica gets a port, in PORT, that it has to listen on.
[ports]
wanted = false

# When it counts as ready, and as alive: \"none\" is as soon as it runs.
[probes.readiness]
kind = \"none\"
[probes.liveness]
kind = \"none\"

# What one replica may use at most.
[limits]
memory_bytes = 268435456
"
    )
}

#[cfg(test)]
mod tests {
    use model::{Artifact, ServiceSpec};

    use super::spec;

    #[test]
    fn what_is_written_is_a_spec_whatever_the_program_is_called() {
        let program = ["/opt/my \"odd\"\\dir/run".to_owned(), "--x=1".to_owned()];
        let read: ServiceSpec = toml::from_str(&spec("hello", &program)).unwrap();
        read.check().unwrap();
        assert_eq!(read.name.as_str(), "hello");
        let Artifact::Command {
            program: runs,
            args,
        } = read.artifact
        else {
            panic!("it runs a program");
        };
        assert_eq!((runs, args), (program[0].clone(), vec![program[1].clone()]));
        let example: ServiceSpec = toml::from_str(&spec("hello", &[])).unwrap();
        example.check().unwrap();
    }
}
