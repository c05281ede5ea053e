//! Unix sockets for the HTTP client, which knows only ports by itself.

#[cfg(not(unix))]
pub(super) fn agent(config: ureq::config::Config, _: &str) -> ureq::Agent {
    // Such an address is refused before.
    config.new_agent()
}

#[cfg(unix)]
pub(super) use unix::agent;

#[cfg(unix)]
mod unix {
    use std::io::{self, Read, Write};
    use std::net::{Ipv4Addr, SocketAddr};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    use std::time::Duration;

    use ureq::config::Config;
    use ureq::http::Uri;
    use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
    use ureq::unversioned::transport::{
        Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
    };
    use ureq::{Agent, Error};

    /// A client whose every connection goes to the socket at `path`.
    pub(in crate::cli) fn agent(config: Config, path: &str) -> Agent {
        Agent::with_parts(config, Socket(path.into()), Nowhere)
    }

    /// No name is looked up.
    #[derive(Debug)]
    struct Nowhere;

    impl Resolver for Nowhere {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            let mut nowhere = self.empty();
            nowhere.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
            Ok(nowhere)
        }
    }

    #[derive(Debug)]
    struct Socket(PathBuf);

    impl Connector for Socket {
        type Out = Connection;

        fn connect(
            &self,
            details: &ConnectionDetails<'_>,
            _: Option<()>,
        ) -> Result<Option<Connection>, Error> {
            let stream = UnixStream::connect(&self.0)?;
            let config = details.config;
            let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
            Ok(Some(Connection { stream, buffers }))
        }
    }

    #[derive(Debug)]
    struct Connection {
        stream: UnixStream,
        buffers: LazyBuffers,
    }

    impl Transport for Connection {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
            self.stream.set_write_timeout(within(timeout))?;
            let output = &self.buffers.output()[..amount];
            self.stream.write_all(output).map_err(|error| late(error, timeout))
        }

        fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
            self.stream.set_read_timeout(within(timeout))?;
            let amount = loop {
                match self.stream.read(self.buffers.input_append_buf()) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read.map_err(|error| late(error, timeout))?,
                }
            };
            self.buffers.input_appended(amount);
            Ok(amount > 0)
        }

        fn is_open(&mut self) -> bool {
            // Each command asks once or twice; a connection of its own for each is no cost here.
            false
        }
    }

    fn within(timeout: NextTimeout) -> Option<Duration> {
        timeout.not_zero().map(|within| *within)
    }

    /// The library's word for a wait that was too long.
    fn late(error: io::Error, timeout: NextTimeout) -> Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
            _ => error.into(),
        }
    }
}
