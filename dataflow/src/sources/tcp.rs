//! Lines from a TCP connection.

use std::io::{self, Read as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use super::rows::Rows;
use super::{Read, Reader};
use crate::failure::{Failure, Halt};

const LINE_BYTES_MAX: usize = 1024 * 1024;

pub(super) struct Tcp {
    address: String,
    stream: TcpStream,
    linger: Duration,
    buffer: Vec<u8>,
    ended: bool,
    received: u64,
    rows: Rows,
}

impl Tcp {
    pub(super) fn connect(address: &str, linger: u64, rows: Rows) -> Result<Tcp, Halt> {
        let linger = Duration::from_millis(linger.max(1));
        let open = || {
            let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
            for to in address.to_socket_addrs()? {
                match TcpStream::connect_timeout(&to, Duration::from_secs(5)) {
                    Ok(stream) => {
                        stream.set_read_timeout(Some(linger))?;
                        return Ok(stream);
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        };
        let stream = open().map_err(|error| Failure::io(address, &error))?;
        let (address, buffer) = (address.to_string(), Vec::new());
        Ok(Tcp {
            address,
            stream,
            linger,
            buffer,
            ended: false,
            received: 0,
            rows,
        })
    }

    fn lines(&mut self, most: usize) -> Result<(), Halt> {
        let mut start = 0;
        while self.rows.len() < most {
            let rest = &self.buffer[start..];
            let end = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                None if !rest.is_empty() && (self.ended || rest.len() > LINE_BYTES_MAX) => {
                    rest.len()
                }
                None => break,
            };
            self.received += 1;
            let (address, number) = (&self.address, self.received);
            self.rows
                .push(&rest[..end], || format!("line {number} from {address}"))?;
            start += end;
        }
        self.buffer.drain(..start);
        Ok(())
    }
}

impl Reader for Tcp {
    fn read(&mut self, rows: usize) -> Result<Read, Halt> {
        let until = Instant::now() + self.linger;
        self.lines(rows)?;
        while self.rows.len() < rows && !self.ended && Instant::now() < until {
            let mut part = [0; 64 * 1024];
            match self.stream.read(&mut part) {
                Ok(0) => self.ended = true,
                Ok(read) => self.buffer.extend_from_slice(&part[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    break;
                }
                Err(error) => return Err(Failure::io(&self.address, &error).into()),
            }
            self.lines(rows)?;
        }
        if self.rows.len() > 0 {
            return Ok(Read::Batch(self.rows.finish()?));
        }
        Ok(if self.ended && self.buffer.is_empty() {
            Read::End
        } else {
            Read::Quiet
        })
    }

    fn position(&self) -> u64 {
        self.received
    }
}
