"""What runs the app in virtual time: loop, workers, host, timers, and the faults they inject."""
