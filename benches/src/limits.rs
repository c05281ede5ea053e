//! What nobody can be faster than: the kernel's part of a datagram, and a look-up for each name.

use std::collections::HashMap;
use std::net::UdpSocket;

use crate::{Dice, name};

/// Two sockets on this machine.
#[derive(Debug)]
pub struct Loopback {
    from: UdpSocket,
    to: UdpSocket,
    buffer: [u8; 1_500],
}

impl Default for Loopback {
    fn default() -> Self {
        let bind = || UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let (from, to) = (bind(), bind());
        from.connect(to.local_addr().expect("bound")).expect("on this machine");
        Self { from, to, buffer: [0; 1_500] }
    }
}

impl Loopback {
    /// Sends a datagram and receives it.
    pub fn send_and_receive(&mut self, datagram: &[u8]) {
        self.from.send(datagram).expect("room in the buffer");
        let (len, _) = self.to.recv_from(&mut self.buffer).expect("what was sent");
        assert_eq!(len, datagram.len());
    }
}

/// The names of members 1 to `n` in the standard library's hash map.
#[derive(Debug)]
pub struct Names {
    map: HashMap<String, usize>,
}

impl Names {
    /// All of them.
    pub fn new(n: usize) -> Self {
        Self { map: (1..=n).map(|node| (name(node), node)).collect() }
    }

    /// Random names.
    pub fn some(&self, dice: &mut Dice, count: usize) -> Vec<String> {
        (0..count).map(|_| name(dice.member(self.map.len()))).collect()
    }

    /// Looks each up.
    pub fn look_up(&self, names: &[String]) -> usize {
        names.iter().filter_map(|name| self.map.get(name)).fold(0, |sum, node| sum ^ node)
    }
}
