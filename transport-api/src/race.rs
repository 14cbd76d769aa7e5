//! Happy Eyeballs (RFC 8305), for transports over IP: the order of a name's addresses, and the race
//! between them.

use std::{collections::VecDeque, future::Future, io, net::SocketAddr, time::Duration};

use tokio::{task::JoinSet, time::Instant, time::sleep_until};

/// The addresses in the order to try them: families take turns, beginning with that of the first
/// (RFC 8305, section 4). At most 16, since the answer to a query may be anybody's.
pub fn order(addrs: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
    for addr in addrs.into_iter().take(MOST) {
        match first.front().is_none_or(|front: &SocketAddr| front.is_ipv4() == addr.is_ipv4()) {
            true => first.push_back(addr),
            false => second.push_back(addr),
        }
    }
    let mut ordered = VecDeque::with_capacity(first.len() + second.len());
    while let Some(addr) = first.pop_front() {
        ordered.push_back(addr);
        ordered.extend(second.pop_front());
    }
    ordered.extend(second);
    ordered
}

/// Connects to whichever of `addrs` answers first; the first error if none does.
///
/// The next attempt begins when the one before has failed, or after 250 ms. Dropping the
/// future ends all attempts.
///
/// # Errors
/// The first error that an attempt ended with; `NotFound` if there is no address.
///
/// # Cancel safety
/// Dropping the future closes what the attempts had opened.
pub async fn race<T, E, F>(
    mut addrs: VecDeque<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    if addrs.len() == 1 {
        return connect(addrs[0]).await;
    }
    let (mut attempts, mut first_error) = (JoinSet::new(), None);
    while let Some(addr) = addrs.pop_front() {
        attempts.spawn(connect(addr));
        let patience = (!addrs.is_empty()).then(|| Instant::now() + STAGGER);
        if let Some(won) = wait(&mut attempts, patience, &mut first_error).await {
            return Ok(won);
        }
    }
    Err(first_error.unwrap_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "the name has no address").into()
    }))
}

/// Waits until an attempt succeeds, or it is time for the next: one has failed while there is a
/// next, all have failed, or `patience` is over.
async fn wait<T, E>(
    attempts: &mut JoinSet<Result<T, E>>,
    patience: Option<Instant>,
    first_error: &mut Option<E>,
) -> Option<T>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    loop {
        let ended = tokio::select! {
            biased;
            ended = attempts.join_next() => ended?,
            () = sleep_until(patience.unwrap_or_else(Instant::now)), if patience.is_some() => return None,
        };
        match ended.unwrap_or_else(|panicked| Err(io::Error::other(panicked).into())) {
            Ok(won) => return Some(won),
            Err(error) => first_error.get_or_insert(error),
        };
        if patience.is_some() {
            return None;
        }
    }
}

/// The recommended Connection Attempt Delay (RFC 8305, section 8).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn addrs(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let given = addrs(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let wanted = addrs(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(order(given), wanted);
        let given = addrs(&["1.1.1.1:1", "[::1]:1", "[::2]:1", "[::3]:1"]);
        let wanted = addrs(&["1.1.1.1:1", "[::1]:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(order(given), wanted);
        assert_eq!(order(vec!["1.1.1.1:1".parse().unwrap(); 1000]).len(), MOST);
    }

    /// Connects after as many milliseconds as the port says; ports above 1,000 refuse 1,000 earlier.
    async fn connect(addr: SocketAddr) -> io::Result<u16> {
        let (fails, millis) = (1000 <= addr.port(), u64::from(addr.port() % 1000));
        sleep_until(Instant::now() + Duration::from_millis(millis)).await;
        match fails {
            true => Err(io::Error::other(addr.to_string())),
            false => Ok(addr.port()),
        }
    }

    async fn check(ports: &[u16], winner: Result<u16, &str>, millis: u64) {
        let addrs = ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect();
        let start = Instant::now();
        let result = race(addrs, connect).await.map_err(|error| error.to_string());
        assert_eq!(result, winner.map_err(String::from), "{ports:?}");
        assert_eq!(start.elapsed(), Duration::from_millis(millis), "{ports:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_to_answer_wins() {
        check(&[5, 1], Ok(5), 5).await;
        check(&[900, 10], Ok(10), 260).await;
        check(&[300, 100], Ok(300), 300).await;
        check(&[1005, 7], Ok(7), 12).await;
        check(&[600, 1010, 20], Ok(20), 280).await;
        check(&[1005, 1003, 1001], Err("127.0.0.1:1005"), 9).await;
        check(&[1005], Err("127.0.0.1:1005"), 5).await;
        check(&[], Err("the name has no address"), 0).await;
    }
}
