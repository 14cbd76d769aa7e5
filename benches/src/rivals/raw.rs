//! Blocking sockets with large writes and reads: what the kernel gives.

use std::{
    fs::File,
    io::{self, Read, Write},
    time::Duration,
};

use crate::meter::{Meter, Tally};

pub(crate) fn send(mut stream: File, size: usize, span: Duration) -> io::Result<Tally> {
    let (buffer, mut written) = (vec![0x5a; BUFFER], 0);
    let meter = Meter::start();
    while meter.elapsed() < span {
        stream.write_all(&buffer)?;
        written += buffer.len();
    }
    Ok(meter.stop((written / size) as u64))
}

pub(crate) fn receive(mut stream: File, size: usize) -> io::Result<Tally> {
    let (mut buffer, mut read) = (vec![0; BUFFER], 0);
    let meter = Meter::start();
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(meter.stop((read / size) as u64)),
            some => read += some,
        }
    }
}

/// What is handed to the kernel at a time: a multiple of every size of message.
const BUFFER: usize = 256 << 10;
