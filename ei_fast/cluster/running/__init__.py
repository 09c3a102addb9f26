"""Run: tasks handed out to processes, within the memory of a job, and what is said meanwhile."""
