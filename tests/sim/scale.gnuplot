# SPDX-License-Identifier: BSD-2-Clause
load "tests/sim/plot.gnuplot"
set output dir."/scale.png"
set title "One rebalance of a machine of 16 TiB"
set xlabel "VMs"
set ylabel "ms of CPU time"
set logscale xy
file = dir."/scale.csv"
plot file using 1:($2/1000) with linespoints title "rebalance", 10 dt 2 title "10 ms"
