//! caching: values got and set by 64 callers, beside Redis.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use caching::{CachingClient, GetArgs, SetArgs};
use rpc::Channel;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::callers::{Caller, Found, round};
use super::services::{Program, build, free_address, version};
use crate::Failure;
use crate::report::{Section, table};
use crate::units::{median, micros, rate};

const CALLERS: usize = 64;
const KEYS: u64 = 10_000;
const VALUE: [u8; 64] = [b'v'; 64];

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Set,
    Get,
}

fn key(number: u64) -> String {
    format!(
        "key:{:06}",
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % KEYS
    )
}

/// Ours, on a connection of its own.
struct Ours {
    client: CachingClient,
    what: What,
}

impl Caller for Ours {
    async fn call(&mut self, number: u64) -> Result<(), Failure> {
        match self.what {
            What::Set => {
                let value = Bytes::from_static(&VALUE);
                let (key, ttl_ms) = (key(number), None);
                self.client.set(&SetArgs { key, value, ttl_ms }).await?;
            }
            What::Get => {
                self.client.get(&GetArgs::new(key(number))).await?;
            }
        }
        Ok(())
    }
}

/// A caller of Redis, in its own protocol.
struct Redis {
    stream: TcpStream,
    what: What,
    buffer: Vec<u8>,
}

impl Caller for Redis {
    async fn call(&mut self, number: u64) -> Result<(), Failure> {
        let key = key(number);
        self.buffer.clear();
        let length = key.len();
        match self.what {
            What::Set => {
                let head = format!("*3\r\n$3\r\nSET\r\n${length}\r\n{key}\r\n$64\r\n");
                self.buffer.extend_from_slice(head.as_bytes());
                self.buffer.extend_from_slice(&VALUE);
                self.buffer.extend_from_slice(b"\r\n");
            }
            What::Get => {
                let whole = format!("*2\r\n$3\r\nGET\r\n${length}\r\n{key}\r\n");
                self.buffer.extend_from_slice(whole.as_bytes());
            }
        }
        self.stream.write_all(&self.buffer).await?;
        let mut answer = [0; 256];
        let mut count = 0;
        while !is_whole(&answer[..count]) {
            let read = self.stream.read(&mut answer[count..]).await?;
            if read == 0 {
                return Err("redis closed the connection".into());
            }
            count += read;
        }
        if answer[0] == b'-' {
            return Err(String::from_utf8_lossy(&answer[..count]).into());
        }
        Ok(())
    }
}

/// Whether a reply is there to its end: a line, or a bulk with its bytes.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(2).position(|pair| pair == b"\r\n") else {
        return false;
    };
    if answer[0] != b'$' {
        return true;
    }
    let length = std::str::from_utf8(&answer[1..end])
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    let length = length.and_then(|length| usize::try_from(length).ok());
    length.is_none_or(|length| answer.len() >= end + 2 + length + 2)
}

/// Gets and sets, in alternating rounds.
///
/// # Errors
/// A program cannot be started, or a call fails.
pub(crate) fn measure(quick: bool) -> Result<Section, Failure> {
    let (rounds, time) = if quick { (1, 1) } else { (5, 3) };
    let time = Duration::from_secs(time);
    let folder = build(&["caching"])?;
    let (at, redis_at) = (free_address()?, free_address()?);
    let mut ours = Command::new(folder.join("caching"));
    let ours = Program::start(
        ours.env("PORT", at.port().to_string())
            .env("ORRERY_LOG", "error"),
        at,
    )?;
    let mut redis = Command::new("redis-server");
    let redis = Program::start(
        redis
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &redis_at.port().to_string(),
            ])
            .args(["--save", "", "--appendonly", "no"]),
        redis_at,
    )?;
    let mut rows = Vec::new();
    for (name, what) in [("set", What::Set), ("get", What::Get)] {
        let (mut own, mut theirs) = (Vec::new(), Vec::new());
        for number in 0..rounds {
            eprintln!("caching: {name}, round {}", number + 1);
            own.push(round(ours_callers(ours.address, what), time)?);
            theirs.push(round(redis_callers(redis.address, what)?, time)?);
        }
        rows.extend(rows_of(name, &own, &theirs));
    }
    let header = ["", "ops/s", "ours is x", "p50", "p99"];
    let body = format!(
        "{CALLERS} callers, each with a connection and one call in flight, on one core; values of \
         64 B, {KEYS} keys; no persistence. Both have the same generator: Redis is spoken to in \
         RESP over plain sockets. Goal: at least as many as Redis.\n\nPeer: {}.\n\n{}\n",
        version("redis-server", "--version"),
        table(&header, rows)
    );
    Ok(Section {
        name: "caching",
        body,
    })
}

fn ours_callers(at: SocketAddr, what: What) -> Vec<Ours> {
    let one = |_| Ours {
        client: CachingClient::new(Channel::to(at)),
        what,
    };
    (0..CALLERS).map(one).collect()
}

fn redis_callers(at: SocketAddr, what: What) -> Result<Vec<RedisLater>, Failure> {
    Ok((0..CALLERS)
        .map(|_| RedisLater {
            at,
            what,
            made: None,
        })
        .collect())
}

/// A caller that connects when it calls first, inside of the runtime.
struct RedisLater {
    at: SocketAddr,
    what: What,
    made: Option<Redis>,
}

impl Caller for RedisLater {
    async fn call(&mut self, number: u64) -> Result<(), Failure> {
        if self.made.is_none() {
            let stream = TcpStream::connect(self.at).await?;
            stream.set_nodelay(true)?;
            self.made = Some(Redis {
                stream,
                what: self.what,
                buffer: Vec::new(),
            });
        }
        match &mut self.made {
            Some(redis) => redis.call(number).await,
            None => Ok(()),
        }
    }
}

fn rows_of(name: &str, own: &[Found], theirs: &[Found]) -> Vec<Vec<String>> {
    let middle = |all: &[Found], of: fn(&Found) -> f64| median(all.iter().map(of).collect());
    let ratios = own
        .iter()
        .zip(theirs)
        .map(|(a, b)| a.per_second / b.per_second);
    let ratio = median(ratios.collect());
    let row = |who: &str, all: &[Found], ratio: String| {
        vec![
            format!("{name}, {who}"),
            rate(middle(all, |f| f.per_second)),
            ratio,
            micros(middle(all, |f| f.p50_us)),
            micros(middle(all, |f| f.p99_us)),
        ]
    };
    vec![
        row("caching", own, String::new()),
        row("redis", theirs, format!("{ratio:.2}")),
    ]
}
