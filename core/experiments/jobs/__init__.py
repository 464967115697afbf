"""What an experiment is made on, the measurements that answer it, and how they are done one by one."""
