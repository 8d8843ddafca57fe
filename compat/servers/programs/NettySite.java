// Netty: NettySite PORT_FILE KEY CERTIFICATE. It speaks HTTP/2 by prior knowledge alone: Debian's 4.1.48 finds no ALPN in
// today's Java.

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBufInputStream;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http2.DefaultHttp2Connection;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.HttpConversionUtil;
import io.netty.handler.codec.http2.HttpToHttp2ConnectionHandlerBuilder;
import io.netty.handler.codec.http2.InboundHttp2ToHttpAdapterBuilder;
import java.net.InetSocketAddress;

public class NettySite extends SimpleChannelInboundHandler<FullHttpRequest> {
    private static final int MOST = 64 << 20;
    private static final String STREAM = HttpConversionUtil.ExtensionHeaderNames.STREAM_ID.text().toString();

    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) throws Exception {
        if (HttpUtil.is100ContinueExpected(request)) { // the request comes again, with its body
            FullHttpResponse more = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE);
            more.headers().set(STREAM, request.headers().get(STREAM));
            context.writeAndFlush(more);
            return;
        }
        Site.Answer answer = Site.answer(request.uri(), request.headers().names(), new ByteBufInputStream(request.content()));
        boolean bare = request.method().equals(HttpMethod.HEAD);
        FullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(answer.status()),
                Unpooled.wrappedBuffer(bare ? new byte[0] : answer.body()));
        response.headers().set(HttpHeaderNames.CONTENT_LENGTH, answer.body().length);
        if (request.headers().contains(STREAM)) {
            response.headers().set(STREAM, request.headers().get(STREAM));
        }
        if (request.uri().equals("/trailers")) {
            response.trailingHeaders().set("checksum", "abc");
        }
        context.writeAndFlush(response);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
        // a client may give up what it has asked for
    }

    private static void http2(ChannelPipeline pipeline) {
        DefaultHttp2Connection connection = new DefaultHttp2Connection(true);
        pipeline.addLast(new HttpToHttp2ConnectionHandlerBuilder().connection(connection)
                .initialSettings(Http2Settings.defaultSettings().maxHeaderListSize(65536)).frameListener(
                new InboundHttp2ToHttpAdapterBuilder(connection).maxContentLength(MOST).propagateSettings(false).build()).build());
        pipeline.addLast(new NettySite());
    }

    public static void main(String[] arguments) throws Exception {
        NioEventLoopGroup group = new NioEventLoopGroup(2);
        int clear = bind(group, new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                http2(channel.pipeline());
            }
        });
        Site.report(arguments[0], clear);
    }

    private static int bind(NioEventLoopGroup group, ChannelInitializer<Channel> initializer) throws Exception {
        Channel channel = new ServerBootstrap().group(group).channel(NioServerSocketChannel.class).childHandler(initializer)
                .bind("127.0.0.1", 0).sync().channel();
        return ((InetSocketAddress) channel.localAddress()).getPort();
    }
}
