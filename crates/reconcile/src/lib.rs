//! Permission graphs, plan, order by effect, admit, simulate; the ports Target and TokenSource. Pure.
