//! A network between a service and its database, which breaks when it is told to.
//!
//! When a change of it returns, nothing passes by the earlier mode any more: whoever passes bytes on holds the mode
//! while it does.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{self, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// How many reads a connection is ahead of what it has passed on, before it leaves bytes to their sender.
const READS_AHEAD: usize = 256;

/// How many bytes are read at a time.
const READ: usize = 16 * 1024;

/// What the network does with all connections, also with those to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bytes pass, and so do the ends of connections.
    Pass,
    /// Present connections are cut, and new ones as soon as they are accepted.
    Refuse,
    /// As [`Mode::Pass`], so much later each way.
    Delay(Duration),
    /// Nothing passes, and no connection ends. What waits passes when the mode changes.
    BlackHole,
    /// What is sent reaches the target. Its answer is thrown away, and cuts the connection: the request was done, and
    /// nobody learns it.
    SwallowAnswers,
}

/// Where connections lead.
#[derive(Debug, Clone)]
pub enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

#[derive(Debug, Clone, Copy)]
struct State {
    mode: Mode,
    /// Connections that were accepted before the last of these are cut at once.
    cuts: u64,
    /// Connections that were accepted before the last of these are cut by their next answer.
    losses: u64,
    /// On connections that were accepted before the last of these nothing passes any more.
    vanishings: u64,
}

/// What may be done with bytes.
enum Passage {
    From(Instant),
    Held,
    Cut,
}

impl State {
    /// For bytes of a connection that was accepted in the state `born`.
    fn passage(&self, born: &Self, way: Way, read_at: Instant) -> Passage {
        let answer_is_lost = self.mode == Mode::SwallowAnswers || self.losses != born.losses;
        match self.mode {
            _ if self.cuts != born.cuts || born.mode == Mode::Refuse => Passage::Cut,
            Mode::Refuse => Passage::Cut,
            Mode::BlackHole => Passage::Held,
            _ if self.vanishings != born.vanishings => Passage::Held,
            _ if way == Way::Back && answer_is_lost => Passage::Cut,
            Mode::Delay(delay) => Passage::From(read_at + delay),
            Mode::Pass | Mode::SwallowAnswers => Passage::From(read_at),
        }
    }
}

/// A network, which ends when dropped.
pub struct Proxy {
    port: u16,
    listener: net::TcpListener,
    state: watch::Sender<State>,
    held: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens on a port of its own, and lets everything pass.
    pub fn start(target: Target) -> Self {
        let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (state, mut seen) = watch::channel(State { mode: Mode::Pass, cuts: 0, losses: 0, vanishings: 0 });
        let held = Arc::default();
        let proxy = Self { port: listener.local_addr().unwrap().port(), listener, state, held };
        let (listener, held) = (proxy.listener.try_clone().unwrap(), Arc::clone(&proxy.held));
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::spawn(accept(listener, target, seen.clone(), held));
                while seen.changed().await.is_ok() {}
            });
        });
        proxy
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what it does.
    pub fn set(&self, mode: Mode) {
        self.state.send_modify(|state| {
            state.mode = mode;
            if mode == Mode::Refuse {
                self.cut_present(state);
            }
        });
    }

    /// Cuts the present connections, and no later one.
    pub fn cut(&self) {
        self.state.send_modify(|state| self.cut_present(state));
    }

    fn cut_present(&self, state: &mut State) {
        // Also those that nobody has accepted yet.
        while self.listener.accept().is_ok() {}
        state.cuts += 1;
    }

    /// Cuts each connection that leads to the target by its next answer, which is thrown away. Later ones are spared.
    pub fn swallow_next_answers(&self) {
        self.state.send_modify(|state| state.losses += 1);
    }

    /// Lets nothing pass on present connections any more, and tells nobody: as when a machine is gone, and another
    /// takes its place. Later ones are spared.
    pub fn vanish(&self) {
        self.state.send_modify(|state| state.vanishings += 1);
    }

    /// How many bytes have come, on connections that lead to the target, and were not passed on.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

async fn accept(listener: net::TcpListener, target: Target, seen: watch::Receiver<State>, held: Arc<AtomicUsize>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        // Accepted before a change or after it, never during one.
        let accepted = poll_fn(|context| {
            let born = seen.borrow();
            listener.poll_accept(context).map(|accepted| (accepted, *born))
        });
        if let (Ok((client, _)), born) = accepted.await {
            let wire = Wire { seen: seen.clone(), born, held: Arc::clone(&held) };
            tokio::spawn(connect(client, target.clone(), wire));
        }
    }
}

/// Holds a connection until it has ended both ways, or is cut.
async fn connect(mut client: TcpStream, target: Target, wire: Wire) {
    client.set_nodelay(true).unwrap();
    let ended = tokio::select! {
        ended = wire.exchange(&mut client, &target) => ended,
        () = wire.wait_for_cut() => Err(gone()),
    };
    if ended.is_err() {
        client.set_zero_linger().unwrap();
    }
}

fn gone() -> io::Error {
    ErrorKind::ConnectionReset.into()
}

/// Bytes as they were read: none for the end, an error for any other end.
struct Piece {
    bytes: io::Result<Vec<u8>>,
    read_at: Instant,
    held: Arc<AtomicUsize>,
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes.as_ref().map_or(0, Vec::len), Ordering::SeqCst);
    }
}

/// What a connection knows of the network.
#[derive(Clone)]
struct Wire {
    seen: watch::Receiver<State>,
    born: State,
    held: Arc<AtomicUsize>,
}

impl Wire {
    async fn wait_for_cut(&self) {
        // Without the network there is nothing to wait for.
        let _ = self.seen.clone().wait_for(|state| state.cuts != self.born.cuts).await;
    }

    async fn exchange(&self, client: &mut TcpStream, target: &Target) -> io::Result<()> {
        self.clone().wait_to_pass(Way::There, Instant::now()).await?;
        let mut target = match target {
            Target::Tcp(address) => TcpStream::connect(address).await?,
            // Once it is connected, one socket is as good as another.
            Target::Unix(path) => {
                TcpStream::from_std(OwnedFd::from(UnixStream::connect(path).await?.into_std()?).into())?
            }
        };
        let ((from_client, to_client), (from_target, to_target)) = (client.split(), target.split());
        let (there, pieces_there) = mpsc::channel(READS_AHEAD);
        let (back, pieces_back) = mpsc::channel(READS_AHEAD);
        tokio::try_join!(
            self.read(from_client, there),
            self.clone().write(pieces_there, to_target, Way::There),
            self.read(from_target, back),
            self.clone().write(pieces_back, to_client, Way::Back),
        )?;
        Ok(())
    }

    async fn read(&self, mut from: ReadHalf<'_>, pieces: mpsc::Sender<Piece>) -> io::Result<()> {
        loop {
            let mut bytes = Vec::with_capacity(READ);
            let bytes = from.read_buf(&mut bytes).await.map(|_| bytes);
            let length = bytes.as_ref().map_or(0, Vec::len);
            self.held.fetch_add(length, Ordering::SeqCst);
            let piece = Piece { bytes, read_at: Instant::now(), held: Arc::clone(&self.held) };
            pieces.send(piece).await.map_err(|_| gone())?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    async fn write(mut self, mut pieces: mpsc::Receiver<Piece>, mut to: WriteHalf<'_>, way: Way) -> io::Result<()> {
        while let Some(piece) = pieces.recv().await {
            self.wait_to_pass(way, piece.read_at).await?;
            let mut rest = piece.bytes.as_ref().map_err(io::Error::kind)?.as_slice();
            if rest.is_empty() {
                return to.shutdown().await;
            }
            while !rest.is_empty() {
                self.wait_to_pass(way, piece.read_at).await?;
                to.writable().await?;
                // Nobody changes the state while it is borrowed.
                let state = self.seen.borrow();
                if let Passage::From(time) = state.passage(&self.born, way, piece.read_at)
                    && time <= Instant::now()
                {
                    match to.try_write(rest) {
                        Ok(length) => rest = &rest[length..],
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }

    async fn wait_to_pass(&mut self, way: Way, read_at: Instant) -> io::Result<()> {
        loop {
            let passage = self.seen.borrow_and_update().passage(&self.born, way, read_at);
            match passage {
                Passage::Cut => return Err(gone()),
                Passage::Held => self.seen.changed().await.map_err(|_| gone())?,
                Passage::From(time) if time <= Instant::now() => return Ok(()),
                Passage::From(time) => tokio::select! {
                    () = sleep_until(time) => {}
                    changed = self.seen.changed() => changed.map_err(|_| gone())?,
                },
            }
        }
    }
}
