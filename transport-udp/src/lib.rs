//! Messages as UDP datagrams, one socket and a bounded table of virtual conns.
