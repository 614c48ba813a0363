"""Signal processing that knows no data set: resampling, statistics, padding."""
