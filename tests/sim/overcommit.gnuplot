# SPDX-License-Identifier: BSD-2-Clause
load "tests/sim/plot.gnuplot"
set terminal pngcairo size 1200,1100 font "Sans,11"
set output dir."/overcommit.png"
file = dir."/overcommit.csv"
set xlabel "minutes"
set ylabel "MB"
set yrange [0:*]
set multiplot layout 3,2 title "Five VMs of 1,472 MB on 1,024 MB less 160 MB of overhead"
set title "all"
plot file using ($1/60):4 lw 2 title "allocated", file using ($1/60):5 title "active", file using ($1/60):6 title "ballooned", \
     file using ($1/60):7 title "shared", file using ($1/60):8 title "swapped"
names = "Exchange Exchange-client Citrix Citrix-client SQL"
do for [i=1:5] {
	set title word(names, i)
	c = 9 + 5 * (i - 1)
	plot file using ($1/60):(column(c)) lw 2 title "allocated", file using ($1/60):(column(c + 1)) title "active", \
	     file using ($1/60):(column(c + 2)) title "ballooned", file using ($1/60):(column(c + 3)) title "shared", \
	     file using ($1/60):(column(c + 4)) title "swapped"
}
unset multiplot
